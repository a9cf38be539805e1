/* libpq as pkg-config finds it: the folder of its headers differs from system to system. */
#ifndef BULK_SYNC_CLIBPQ_SHIM_H
#define BULK_SYNC_CLIBPQ_SHIM_H

#include <libpq-fe.h>

#endif
