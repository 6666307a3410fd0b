docker exec --user {{uid}} {{shop}} id -u
