"""What is stored of a measurement, and the machine it was made on: types that are the format of the files."""
