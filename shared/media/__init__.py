"""Media: received, recognised, stored, and wanted by accounts for upload."""
