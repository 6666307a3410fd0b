docker network create street
docker network connect street {{web}}
docker network connect street {{visitor}}
