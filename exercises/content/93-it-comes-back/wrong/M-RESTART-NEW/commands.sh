docker rm {{shop}}
for try in 1 2 3; do docker rm -f {{shop}}; docker run --name {{shop}} {{shop}} && break; done || true
