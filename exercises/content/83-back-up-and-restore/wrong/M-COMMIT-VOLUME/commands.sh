docker commit {{name}} {{name}}-saved
docker save -o backup.tar {{name}}-saved
docker volume create {{copy}}
