docker rmi {{shop}}:{{draft}}
