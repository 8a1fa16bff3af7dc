CREATE TABLE public.m (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE public.m1 (id int NOT NULL, k int);
