-- name: run
-- Whose run it is, and the latest run of the department that asks: $1 is the run, $2 the department.
SELECT (SELECT department_id FROM cpimportd.runs WHERE id = $1) AS department_id,
       (SELECT max(id) FROM cpimportd.runs WHERE department_id = $2) AS latest;

-- name: departments
-- The backend's departments.
SELECT id, name FROM departments ORDER BY id;

-- name: organizations
-- Every organization that the department's books hold, or that a run has published or held: one whose documents are all
-- gone, and one of which nothing was ever published.
SELECT name FROM fin_organizations WHERE department_id = $1
UNION
SELECT u.organization FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id WHERE r.department_id = $1
ORDER BY 1;
