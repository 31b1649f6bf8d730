-- name: wanted
-- The references that the staged documents name: per contract its date, counterparty and organization, where the
-- documents agree. A contract text that several organizations or counterparties share (`Основной договор`) gets none of
-- them rather than the first one's; documents already in the books take part in that judgement, less those of the staged
-- units: an organization's receipts count where only its expenses are published.
CREATE TEMP TABLE wanted_contract ON COMMIT DROP AS
WITH staged AS (
    SELECT contract, organization, payer AS counterparty, contract_date FROM stage_receipts WHERE contract IS NOT NULL
    UNION
    SELECT contract, organization, recipient, contract_date FROM stage_expenses WHERE contract IS NOT NULL
), texts AS (
    SELECT DISTINCT contract FROM staged
), booked AS (
    SELECT c.contract_number AS contract, o.name AS organization, f.counterparty
    FROM fin_contracts c
    JOIN stage_scope scope ON scope.department_id = c.department_id
    JOIN texts t ON t.contract = c.contract_number
    CROSS JOIN LATERAL (
        SELECT 'receipts' AS kind, r.organization_id, r.payer AS counterparty
        FROM fin_receipts r WHERE r.contract_id = c.id
        UNION
        SELECT 'expenses', e.organization_id, e.recipient FROM fin_expenses e WHERE e.contract_id = c.id
    ) f
    JOIN fin_organizations o ON o.id = f.organization_id
    WHERE NOT EXISTS (SELECT FROM stage_unit u WHERE u.kind = f.kind AND u.organization = o.name)
), named AS (
    SELECT contract, organization, counterparty, contract_date FROM staged
    UNION ALL
    SELECT contract, organization, counterparty, NULL FROM booked
)
SELECT contract,
       CASE WHEN count(DISTINCT organization) = 1 THEN min(organization) END AS organization,
       CASE WHEN count(DISTINCT counterparty) = 1 THEN min(counterparty) END AS counterparty,
       CASE WHEN count(DISTINCT contract_date) = 1 THEN min(contract_date) END AS contract_date,
       count(DISTINCT organization) > 1 AS organizations_differ,
       count(DISTINCT counterparty) > 1 AS counterparties_differ
FROM named
GROUP BY contract;

-- name: add_organizations
-- Organizations that the backend does not know yet; remembered as ours.
WITH added AS (
    INSERT INTO fin_organizations (name, department_id, is_active, created_at, updated_at)
    SELECT DISTINCT u.organization, scope.department_id, true, localtimestamp, localtimestamp
    FROM stage_unit u, stage_scope scope
    WHERE u.organization_id IS NULL
    RETURNING id, name
)
INSERT INTO cpimportd.created_reference (department_id, kind, key, reference_id, run_id)
SELECT scope.department_id, 'organization', added.name, added.id, scope.run_id FROM added, stage_scope scope
ON CONFLICT (department_id, kind, key) DO UPDATE SET reference_id = excluded.reference_id, run_id = excluded.run_id;

-- name: add_bank_accounts
-- Bank accounts that the backend does not know yet. Where the text is `NUMBER, BANK`, the bank is told apart.
WITH added AS (
    INSERT INTO fin_bank_accounts (account_number, bank_name, department_id, is_active, created_at, updated_at)
    SELECT named.bank_account, left(substring(named.bank_account FROM '^\d{20},\s*(.+)$'), 255), scope.department_id,
           true, localtimestamp, localtimestamp
    FROM (SELECT bank_account FROM stage_receipts UNION SELECT bank_account FROM stage_expenses) named, stage_scope scope
    WHERE named.bank_account IS NOT NULL
      AND NOT EXISTS (SELECT FROM fin_bank_accounts b
                      WHERE b.department_id = scope.department_id AND b.account_number = named.bank_account)
    RETURNING id, account_number
)
INSERT INTO cpimportd.created_reference (department_id, kind, key, reference_id, run_id)
SELECT scope.department_id, 'bank_account', added.account_number, added.id, scope.run_id FROM added, stage_scope scope
ON CONFLICT (department_id, kind, key) DO UPDATE SET reference_id = excluded.reference_id, run_id = excluded.run_id;

-- name: journal_contracts
-- What completing contracts is about to change, with what was before. `create` below must say the same.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, old, new, why)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY before.contract_number), scope.department_id, 'contract',
       'reference', before.contract_number, after.organization, before.facts - same.keys, after.facts - same.keys,
       'snapshot'
FROM wanted_reference after
CROSS JOIN stage_scope scope
JOIN LATERAL (
    SELECT c.contract_number, jsonb_build_object(
        'contract_date', c.contract_date, 'counterparty', c.counterparty,
        'organization', o.name, 'is_active', c.is_active) AS facts
    FROM fin_contracts c LEFT JOIN fin_organizations o ON o.id = c.organization_id
    WHERE c.id = after.id
) before ON true
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(key), ARRAY[]::text[]) AS keys
    FROM jsonb_each(after.facts) n JOIN jsonb_each(before.facts) o USING (key)
    WHERE n.value IS NOT DISTINCT FROM o.value
) same;

-- name: find_contract_changes
-- Contracts that exist and can be completed: an empty date, counterparty or organization is filled, never overwritten.
-- Only what we ourselves created is taken back: the organization or counterparty of a text that turned out to be shared,
-- and the rest that we gave a contract whose documents had gone.
CREATE TEMP TABLE wanted_reference ON COMMIT DROP AS
SELECT c.id, w.contract, o_new.name AS organization, jsonb_build_object(
           'contract_date', coalesce(c.contract_date, w.contract_date),
           'counterparty', counterparty.value, 'organization', o_new.name, 'is_active', active.value) AS facts,
       coalesce(c.contract_date, w.contract_date) AS contract_date, counterparty.value AS counterparty,
       o_new.id AS organization_id, active.value AS is_active
FROM wanted_contract w
CROSS JOIN stage_scope scope
JOIN fin_contracts c ON c.department_id = scope.department_id AND c.contract_number = w.contract
LEFT JOIN cpimportd.created_reference r
    ON r.department_id = scope.department_id AND r.kind = 'contract' AND r.key = w.contract AND r.reference_id = c.id
LEFT JOIN fin_organizations o_old ON o_old.id = c.organization_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.key IS NOT NULL AND w.counterparties_differ THEN NULL
                ELSE coalesce(c.counterparty, left(w.counterparty, 255)) END AS value
) counterparty
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.key IS NOT NULL AND w.organizations_differ THEN NULL
                ELSE coalesce(o_old.name, w.organization) END AS name
) organization
LEFT JOIN fin_organizations o_new ON o_new.department_id = scope.department_id AND o_new.name = organization.name
CROSS JOIN LATERAL (SELECT c.is_active OR coalesce(r.deactivated_by_us, false) AS value) active
WHERE (coalesce(c.contract_date, w.contract_date), counterparty.value, o_new.id, active.value)
      IS DISTINCT FROM (c.contract_date, c.counterparty, c.organization_id, c.is_active);

-- name: complete_contracts
-- Write what find_contract_changes found.
UPDATE fin_contracts c
SET contract_date = w.contract_date, counterparty = w.counterparty, organization_id = w.organization_id,
    is_active = w.is_active, updated_at = localtimestamp
FROM wanted_reference w
WHERE c.id = w.id;

-- name: note_reactivated_contracts
-- A contract that is active again is no longer one that we deactivated.
UPDATE cpimportd.created_reference r SET deactivated_by_us = false
FROM wanted_contract w, stage_scope scope
WHERE r.department_id = scope.department_id AND r.kind = 'contract' AND r.key = w.contract AND r.deactivated_by_us;

-- name: add_contracts
-- Contracts that the backend does not know yet; remembered as ours.
WITH added AS (
    INSERT INTO fin_contracts (contract_number, contract_date, counterparty, organization_id, department_id, is_active,
                               created_at, updated_at)
    SELECT w.contract, w.contract_date, left(w.counterparty, 255), o.id, scope.department_id, true, localtimestamp,
           localtimestamp
    FROM wanted_contract w
    CROSS JOIN stage_scope scope
    LEFT JOIN fin_organizations o ON o.department_id = scope.department_id AND o.name = w.organization
    WHERE NOT EXISTS (SELECT FROM fin_contracts c
                      WHERE c.department_id = scope.department_id AND c.contract_number = w.contract)
    RETURNING id, contract_number
)
INSERT INTO cpimportd.created_reference (department_id, kind, key, reference_id, run_id)
SELECT scope.department_id, 'contract', added.contract_number, added.id, scope.run_id FROM added, stage_scope scope
ON CONFLICT (department_id, kind, key)
DO UPDATE SET reference_id = excluded.reference_id, run_id = excluded.run_id, deactivated_by_us = false;

-- name: deactivate_contracts
-- Contracts that we created and that no document names any more are set inactive; a human's is_active is not touched.
WITH deactivated AS (
    UPDATE fin_contracts c SET is_active = false, updated_at = localtimestamp
    FROM cpimportd.created_reference r, stage_scope scope
    WHERE r.department_id = scope.department_id AND r.kind = 'contract' AND NOT r.deactivated_by_us
      AND c.id = r.reference_id AND c.contract_number = r.key AND c.is_active
      AND NOT EXISTS (SELECT FROM fin_receipts f WHERE f.contract_id = c.id)
      AND NOT EXISTS (SELECT FROM fin_expenses f WHERE f.contract_id = c.id)
    RETURNING c.contract_number
), remembered AS (
    UPDATE cpimportd.created_reference r SET deactivated_by_us = true
    FROM deactivated, stage_scope scope
    WHERE r.department_id = scope.department_id AND r.kind = 'contract' AND r.key = deactivated.contract_number
)
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, old, new, why)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY contract_number), scope.department_id, 'contract', 'reference',
       contract_number, '{"is_active": true}', '{"is_active": false}', 'snapshot'
FROM deactivated, stage_scope scope;

-- name: reactivate_organizations
-- Names that we set inactive and that have documents again are active again. Where a human has made one active since, there
-- is nothing to write: it only is no longer one that we deactivated.
WITH returned AS (
    SELECT o.id, o.name, o.is_active
    FROM fin_organizations o
    JOIN stage_scope scope ON scope.department_id = o.department_id
    JOIN cpimportd.created_reference r
        ON r.department_id = scope.department_id AND r.kind = 'organization' AND r.key = o.name AND r.reference_id = o.id
    WHERE r.deactivated_by_us
      AND (EXISTS (SELECT FROM fin_receipts f WHERE f.organization_id = o.id)
           OR EXISTS (SELECT FROM fin_expenses f WHERE f.organization_id = o.id))
), reactivated AS (
    UPDATE fin_organizations o SET is_active = true, updated_at = localtimestamp
    FROM returned WHERE o.id = returned.id AND NOT returned.is_active
    RETURNING o.name
), remembered AS (
    UPDATE cpimportd.created_reference r SET deactivated_by_us = false
    FROM returned, stage_scope scope
    WHERE r.department_id = scope.department_id AND r.kind = 'organization' AND r.key = returned.name
)
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, old, new, why)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY name), scope.department_id, 'organization', 'reference', name, name,
       '{"is_active": false}', '{"is_active": true}', 'snapshot'
FROM reactivated, stage_scope scope;

-- name: deactivate_organizations
-- Old names of organizations that were renamed, a human having accepted it: those that we created and that no document has
-- any more are set inactive, so that the backend's list does not name an organization twice; a human's is_active is not
-- touched.
WITH deactivated AS (
    UPDATE fin_organizations o SET is_active = false, updated_at = localtimestamp
    FROM cpimportd.created_reference r, stage_scope scope
    WHERE r.department_id = scope.department_id AND r.kind = 'organization' AND NOT r.deactivated_by_us
      AND o.id = r.reference_id AND o.name = r.key AND o.name = ANY ($2::text[]) AND o.is_active
      AND NOT EXISTS (SELECT FROM fin_receipts f WHERE f.organization_id = o.id)
      AND NOT EXISTS (SELECT FROM fin_expenses f WHERE f.organization_id = o.id)
    RETURNING o.name
), remembered AS (
    UPDATE cpimportd.created_reference r SET deactivated_by_us = true
    FROM deactivated, stage_scope scope
    WHERE r.department_id = scope.department_id AND r.kind = 'organization' AND r.key = deactivated.name
)
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, old, new, why)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY name), scope.department_id, 'organization', 'reference', name, name,
       '{"is_active": true}', '{"is_active": false}', 'accepted'
FROM deactivated, stage_scope scope;

-- name: left_active
-- Of these old names, those that no document has any more and that stay active all the same: a human made them, or made
-- them active again.
SELECT o.name
FROM fin_organizations o JOIN stage_scope scope ON scope.department_id = o.department_id
WHERE o.name = ANY ($1::text[]) AND o.is_active
  AND NOT EXISTS (SELECT FROM fin_receipts f WHERE f.organization_id = o.id)
  AND NOT EXISTS (SELECT FROM fin_expenses f WHERE f.organization_id = o.id)
ORDER BY o.name;

-- name: views
-- The staged documents with the ids of what they name, now that all of it exists.
CREATE TEMP VIEW staged_{kind} AS
SELECT s.*, u.organization_id, b.id AS bank_account_id, c.id AS contract_id, u.put_right, u.accepted
FROM {stage} s
CROSS JOIN stage_scope scope
JOIN stage_unit u ON u.kind = '{kind}' AND u.organization = s.organization
LEFT JOIN fin_bank_accounts b ON b.department_id = scope.department_id AND b.account_number = s.bank_account
LEFT JOIN fin_contracts c ON c.department_id = scope.department_id AND c.contract_number = s.contract;
