docker import delivery.tar {{shop}}:friend
