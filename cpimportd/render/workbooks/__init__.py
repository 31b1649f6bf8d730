"""The workbooks that we write for people, and the function that writes their files."""
