"""Tell: after COMMIT, whoever serves the books learns of it. What fails here never undoes an import."""
