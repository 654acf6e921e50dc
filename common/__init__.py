"""What every stage shares; it knows of no stage and of no harness."""
