docker pause {{long}} {{night}}
