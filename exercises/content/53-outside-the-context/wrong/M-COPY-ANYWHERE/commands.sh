docker build -q -t {{shop}} {{shop}} || true
