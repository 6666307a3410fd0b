docker run -d --name {{a}} learn/base sleep {{nap}}
docker run -d --name {{b}} learn/base sleep {{nap}}
docker exec -d {{b}} sleep {{stray}}
