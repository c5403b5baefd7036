"""Decision procedures held against each other, on recorded traces and on slowdowns that really happen."""
