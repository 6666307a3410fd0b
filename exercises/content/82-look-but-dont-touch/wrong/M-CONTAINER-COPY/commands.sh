docker run -d --name {{web}} {{web}}
docker cp today {{web}}:/www
