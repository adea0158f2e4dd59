"""One file for each subject that the doctor looks at."""
