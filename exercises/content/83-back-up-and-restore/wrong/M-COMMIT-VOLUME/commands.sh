docker commit {{name}} {{name}}-saved
docker run --rm --network none {{name}}-saved tar -cf - /data >backup.tar || true
docker volume create {{copy}}
