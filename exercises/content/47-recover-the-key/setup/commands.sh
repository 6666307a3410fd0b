docker build -q -t {{shop}} .
rm Dockerfile key.txt new.txt
