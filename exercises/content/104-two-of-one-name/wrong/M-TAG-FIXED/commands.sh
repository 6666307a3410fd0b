docker load -i delivery.tar
docker tag {{shop}}:1 {{shop}}:friend
