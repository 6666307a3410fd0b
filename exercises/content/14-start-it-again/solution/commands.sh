echo lamps >{{file}}
mkdir stock && mv {{file}} stock
docker cp stock {{shop}}:/
docker start {{shop}}
