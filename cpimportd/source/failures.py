"""Turns network and FTP failures into problems of the catalog."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

import aioftp

from cpimportd.core.phrases import Phrase, Reason, as_phrase, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import report_slow
from cpimportd.source.client import PassiveError, UnexpectedPeerError
from cpimportd.source.control import TRANSPARENT, ImplicitTlsError, OtherProtocolError, redact, reply_text
from cpimportd.source.interface import FileTooLargeError, InUseError, PermanentError
from cpimportd.source.listing import decode

_LIMIT = re.compile(r"maximum|too many|limit|already connected|no more connections", re.IGNORECASE)
_LOCKED_OUT = re.compile(r"fail|attempt|incorrect|password|auth", re.IGNORECASE)
_WANTS_TLS = re.compile(r"\bTLS\b|\bSSL\b|encrypt|cleartext", re.IGNORECASE)
_IN_USE = re.compile(r"used by another process|in use|being used|locked|sharing violation|file busy", re.IGNORECASE)


def is_in_use(reply: str) -> bool:
    """Whether a server refuses a file because another program has it, such as 1C that writes it."""
    return _IN_USE.search(reply) is not None


class Phase(Enum):
    """The phases of a conversation; the value is how a problem calls it."""

    CONNECT = "connecting"
    GREET = "the greeting"
    TLS = "the TLS handshake"
    LOGIN = "the login"
    LIST = "listing"
    LOOK = "looking at a file"
    DOWNLOAD = "the download"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Makes coded problems of what aioftp, TLS and the network raise.

    Attributes:
        label: the server.
        folder: the folder.
        user: who logs in.
        secret: the password; struck out wherever a server repeats it.
        silence_limit: seconds without a word after which the server counts as silent, whatever the limit of a phase.
        encrypted: whether the control connection is under TLS.
        last_command: gives the last command that was sent, which every problem names; empty before the first.
    """

    label: str
    folder: str
    user: str
    secret: str
    silence_limit: float
    encrypted: bool
    last_command: Callable[[], str]

    @asynccontextmanager
    async def during(self, phase: Phase, seconds: float, file: str | None = None) -> AsyncIterator[None]:
        """Go through one phase under a time limit; what fails in it becomes a ProblemError (or InUseError).

        Args:
            phase: which.
            seconds: the limit of the whole of it.
            file: the file's name, where it is about one.
        """
        try:
            async with asyncio.timeout(seconds) as whole:
                if phase is Phase.DOWNLOAD:  # may take long; download() reports its silence
                    yield
                else:
                    async with report_slow("source", f"no answer yet during {phase.value}", seconds):
                        yield
        except (ProblemError, InUseError):
            raise
        except aioftp.StatusCodeError as error:
            raise self._command_refused(phase, error, file) from error
        except PassiveError as error:
            raise self._no_data_connection(phase, error, file) from error
        except ImplicitTlsError as error:
            raise self.secured_too_early() from error
        except TimeoutError as error:
            limit = timedelta(seconds=seconds if whole.expired() else min(seconds, self.silence_limit))
            asked = self._asked()
            code = "no-answer-within-to" if asked else "no-answer-within"
            raise self._no_answer(phase, phrase(code, limit=limit, command=asked), file) from error
        except UnexpectedPeerError as error:
            raise self.untrusted(error.phrase) from error
        except ssl.SSLError as error:
            raise self._tls_failed(phase, error, file) from error
        except OSError as error:
            raise self._connection_lost(phase, self._reason(error), file) from error
        except (aioftp.AIOFTPException, ValueError, IndexError) as error:
            raise self._bad_reply(phase, error, file) from error

    def _command_refused(
        self, phase: Phase, error: aioftp.StatusCodeError, file: str | None
    ) -> ProblemError | InUseError:
        code, reply = str(error.received_codes[-1]), self._reply(error)
        if not self.encrypted and code[:1] in "45" and _WANTS_TLS.search(reply):
            return self.untrusted(phrase("wants-tls", answer=self._about(reply)))
        if phase in (Phase.LOOK, Phase.DOWNLOAD):
            return self._file_refused(code, reply, file)
        if phase is Phase.LIST:
            return self._listing(code, reply)
        if phase is Phase.LOGIN:
            return self._login(code, reply)
        if phase is Phase.TLS and code != "421":
            return self.untrusted(phrase("tls-refused", answer=self._about(reply)))
        return self._busy(self._about(reply))

    def _file_refused(self, code: str, reply: str, file: str | None) -> ProblemError | InUseError:
        if is_in_use(reply):
            return InUseError(self._about(reply))
        failed = problem("download-failed", file=file, reason=self._about(reply))
        # RFC 959, 4.2.1: 4xx invites to try again, 5xx says not to.
        return PermanentError(failed) if code.startswith("5") else ProblemError(failed)

    def _listing(self, code: str, reply: str) -> ProblemError:
        # A 2xx or 3xx in the wrong place belongs to some other command: the connection is out of step; unless it is
        # vsftpd's "226 Transfer done (but failed to open directory)."
        if not (code.startswith("5") or "failed" in reply):
            return self._unreachable(self._about(reply))
        return ProblemError(problem("source-listing", server=self.label, folder=self.folder, reason=self._about(reply)))

    def _login(self, code: str, reply: str) -> ProblemError:
        limit = _LIMIT.search(reply) and not _LOCKED_OUT.search(reply)
        if code == "421" or limit:
            return self._busy(self._about(reply))
        if code[:1] not in "345":
            return self._unreachable(self._about(reply))
        if code != "530" and self._asked().startswith("TYPE"):
            return ProblemError(problem("source-binary", server=self.label, reason=self._about(reply)))
        return ProblemError(problem("source-login", server=self.label, user=self.user, reason=self._about(reply)))

    def _no_data_connection(self, phase: Phase, error: PassiveError, file: str | None) -> ProblemError:
        reason = self._passive(error)
        if phase in (Phase.LOOK, Phase.DOWNLOAD):
            found = problem("download-failed", file=file, reason=reason)
        else:
            found = problem("source-passive", server=self.label, reason=reason.facts["tries"])
        return PermanentError(found) if error.lasting else ProblemError(found)

    def secured_too_early(self) -> ProblemError:
        """The problem of a server with implicit TLS."""
        return ProblemError(problem("source-implicit-tls", server=self.label))

    def _no_answer(self, phase: Phase, reason: Phrase, file: str | None) -> ProblemError:
        if phase is Phase.CONNECT:
            return self._unreachable(reason)
        if phase in (Phase.LOOK, Phase.DOWNLOAD):
            return ProblemError(problem("download-failed", file=file, reason=reason))
        return ProblemError(problem("source-stalled", server=self.label, step=phase.value, reason=reason))

    def _tls_failed(self, phase: Phase, error: ssl.SSLError, file: str | None) -> ProblemError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self.untrusted(error.verify_message or str(error))
        if phase is Phase.TLS:
            return self.untrusted(self._about(str(error)))
        return self._connection_lost(phase, str(error), file)

    def _connection_lost(self, phase: Phase, reason: Reason, file: str | None) -> ProblemError:
        if phase in (Phase.LOOK, Phase.DOWNLOAD):
            return ProblemError(problem("download-failed", file=file, reason=self._about(reason)))
        if phase in (Phase.CONNECT, Phase.GREET):
            return self._unreachable(reason if phase is Phase.CONNECT else phrase("before-greeting", said=reason))
        return self._unreachable(self._about(reason))

    def _bad_reply(self, phase: Phase, error: Exception, file: str | None) -> ProblemError:
        if isinstance(error, aioftp.errors.InvalidCommand):
            reason = phrase("line-break-to-send")
        elif isinstance(error, FileTooLargeError):
            reason = self._about(error.phrase)
        elif isinstance(error, OtherProtocolError):
            reason = phrase("no-ftp-server", answer=self.readable(str(error)))
        else:
            reason = self._about(phrase("answer-not-understood", answer=self.readable(str(error))))
        match phase:
            case Phase.LOGIN:
                return ProblemError(problem("source-login", server=self.label, user=self.user, reason=reason))
            case Phase.LIST:
                return ProblemError(problem("source-listing", server=self.label, folder=self.folder, reason=reason))
            case Phase.LOOK | Phase.DOWNLOAD:
                return PermanentError(problem("download-failed", file=file, reason=reason))
            case _:
                return PermanentError(problem("source-unreachable", server=self.label, reason=reason))

    def describe_error(self, error: Exception) -> Reason:
        """The text of an exception, without the password."""
        if isinstance(error, aioftp.StatusCodeError):
            return self._about(self._reply(error))
        if isinstance(error, TimeoutError):
            return self._about(phrase("no-answer-in-time"))
        if isinstance(error, PassiveError):
            return self._passive(error)
        if isinstance(error, UnexpectedPeerError | FileTooLargeError):
            return self._about(error.phrase)
        said = self._reason(error) if isinstance(error, OSError) else self.readable(str(error))
        return self._about(said or type(error).__name__)

    def _asked(self) -> str:
        """The last command, readable, without the password."""
        return self.readable(self.last_command())

    def _about(self, said: Reason) -> Phrase:
        """The reply, and the command that it answers."""
        command = self._asked()
        return phrase("answer-to", command=command, answer=said) if command else as_phrase(said)

    def _passive(self, error: PassiveError) -> Phrase:
        """Why there is no data connection, readable, without the password."""
        tries = [
            Phrase(
                one.code,
                {name: self.readable(fact) if isinstance(fact, str) else fact for name, fact in one.facts.items()},
            )
            for one in error.tries
        ]
        return phrase("no-data-connection", tries=tries)

    def readable(self, wire: str) -> str:
        """What went over the wire, in the client's transparent encoding, as text without the password."""
        return redact(decode(wire.encode(TRANSPARENT, "replace"), "utf-8"), self.secret)

    def _busy(self, reason: Reason) -> ProblemError:
        return ProblemError(problem("source-busy", server=self.label, reason=reason))

    def untrusted(self, reason: Reason) -> ProblemError:
        """The problem of a server with which there is no safe conversation."""
        return ProblemError(problem("source-tls", server=self.label, reason=reason))

    def _unreachable(self, reason: Reason) -> ProblemError:
        return ProblemError(problem("source-unreachable", server=self.label, reason=reason))

    def _reason(self, error: OSError) -> Reason:
        """Words for an error of the network; a server's farewell (421) hides in the context of the reset after it."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, aioftp.StatusCodeError):
                return self._reply(cause)
            cause = cause.__context__
        if isinstance(error, ConnectionResetError) and not error.strerror:
            return phrase("connection-closed")
        return error.strerror or reason_of(error) or type(error).__name__

    def _reply(self, error: aioftp.StatusCodeError) -> str:
        """The server's words, readable, without the password."""
        text = error.info if isinstance(error.info, str) else reply_text(error.info)
        return f"{error.received_codes[-1]} {self.readable(text)}".strip()
