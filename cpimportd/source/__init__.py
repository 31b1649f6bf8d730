"""GET: workbooks from an FTP server or a folder, whole, under safe names, verified."""
