// The page of a reporter.
