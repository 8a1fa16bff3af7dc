CREATE TABLE public.g (id int NOT NULL, day int NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE public.g_1 PARTITION OF public.g FOR VALUES FROM (0) TO (10);
CREATE TABLE public.g_1_pkey (x int);
