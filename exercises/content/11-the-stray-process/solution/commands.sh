pid=$(docker exec {{b}} ps -o pid,args | grep 'sleep {{stray}}' | sed 's/^ *//; s/ .*//')
docker exec {{b}} kill $pid
