/* Memory that the process holds. */
#ifndef CK_MEMORY_H
#define CK_MEMORY_H

#include <stddef.h>

/* Takes the pages of memory that is about to be written, many at a time where the system can: one by one, as they are touched, they take
 * half as long again. */
void ck_take_pages(void *_Nonnull memory, size_t bytes);

/* Gives what was freed back to the system, where the C library can. */
void ck_trim_memory(void);

#endif
