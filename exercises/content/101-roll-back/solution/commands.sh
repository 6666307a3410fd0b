docker tag {{shop}}:stable {{shop}}:bad
docker tag $(docker images -q --filter dangling=true) {{shop}}:stable
