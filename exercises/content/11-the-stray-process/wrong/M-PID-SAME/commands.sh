pid=$(docker top {{b}} -o pid,args | grep 'sleep {{stray}}' | sed 's/^ *//; s/ .*//')
docker exec {{b}} kill $pid || true
