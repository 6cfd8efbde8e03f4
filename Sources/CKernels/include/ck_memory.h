/* Memory that the process holds. */
#ifndef CK_MEMORY_H
#define CK_MEMORY_H

/* Gives what was freed back to the system, where the C library can. */
void ck_trim_memory(void);

#endif
