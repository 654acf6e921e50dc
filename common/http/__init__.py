"""The JSON API over HTTP, its description, its token, a client for reporters; written against roles, not a stage."""
