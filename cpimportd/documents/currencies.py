"""Currencies by the names, codes and numbers under which 1C writes them."""

import re
from collections.abc import Mapping

from cpimportd.core.folding import fold
from cpimportd.core.phrases import UnfitError

ROUBLE = "RUB"

_CODES = frozenset(
    re.findall(
        "[A-Z]{3}",
        """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
    VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
    """,
    )
)
"""ISO 4217, list one, less funds and metals."""

_OTHER_NAMES = {
    # 810 and RUR were the rouble's before 1998; bank account numbers and old 1C databases keep them.
    ROUBLE: "руб рубль рубли рублей р ₽ rur 643 810, российский рубль, рос руб, рубль рф",
    "USD": "$ 840 долл доллар доллары, доллар сша, доллары сша, долл сша",
    "EUR": "€ 978 евро",
    "CNY": "156 юань юани, китайский юань, юань ренминби",
    "GBP": "£ 826, фунт стерлингов",
    "CHF": "756, швейцарский франк",
    "JPY": "392 иена йена, японская иена",
    "KZT": "398 тенге, казахстанский тенге",
    "BYN": "933, белорусский рубль, бел руб",
    "TRY": "949, турецкая лира",
    "AED": "784 дирхам, дирхам оаэ",
    "HKD": "344, гонконгский доллар",
    "INR": "356, индийская рупия",
    "AMD": "051, армянский драм",
    "KGS": "417, киргизский сом",
    "UZS": "860, узбекский сум",
}
_BY_NAME: Mapping[str, str] = {fold(code): code for code in _CODES} | {
    fold(name): code
    for code, names in _OTHER_NAMES.items()
    for words, *phrases in [names.split(",")]
    for name in (*words.split(), *phrases)
}


def currency_code(text: str) -> str:
    """The ISO 4217 code of a currency.

    Args:
        text: its code, number, name or abbreviation, in any case.

    Raises:
        ValueError: no such currency is known.
    """
    name = " ".join(fold(text).replace(".", " ").split())
    code = _BY_NAME.get(name.zfill(3) if name.isdecimal() else name)
    if code is None:
        raise UnfitError("no-currency")
    return code


def is_rouble_account(account: str | None) -> bool:
    """Whether an accounting account holds roubles: 51 in the Russian chart of accounts (52 holds other currencies)."""
    return account is not None and (account == "51" or account.startswith("51."))
