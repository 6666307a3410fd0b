docker build -q -t {{shop}} .
