docker tag {{shop}}:1 {{shop}}:mine
docker load -i delivery.tar
docker tag {{shop}}:1 {{shop}}:friend
docker tag {{shop}}:mine {{shop}}:1
docker rmi {{shop}}:mine
