#include <malloc.h>
#include <protobuf-c/protobuf-c.h>
