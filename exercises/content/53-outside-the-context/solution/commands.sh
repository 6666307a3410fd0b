docker build -q -t {{shop}} -f {{shop}}/Dockerfile .
