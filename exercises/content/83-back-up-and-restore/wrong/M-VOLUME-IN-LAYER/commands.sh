docker export -o backup.tar {{name}}
docker volume create {{copy}}
