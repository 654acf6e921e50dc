"""The JSON API over HTTP, its description, its token, and a client for reporters; written against roles, not a stage."""
