docker cp {{box}}:/srv srv
docker build -q -t {{shop}}:2 .
