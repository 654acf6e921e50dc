"""All that people see of a measurement: tables, charts, progress, the live view, the report page."""
