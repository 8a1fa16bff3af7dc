CREATE TABLE public.m (id int NOT NULL, k int DEFAULT 1, n int) PARTITION BY RANGE (n);
CREATE TABLE public.m1 (id int NOT NULL DEFAULT 5, k int, n int NOT NULL);
COMMENT ON COLUMN public.m1.id IS 'numbered';
ALTER TABLE public.m1 ALTER n SET STATISTICS 40;
CREATE TABLE public.m2 (id int NOT NULL, k int DEFAULT 2, n int) PARTITION BY RANGE (id);
CREATE TABLE public.m21 (id int NOT NULL DEFAULT 3, k int, n int);
ALTER TABLE public.m2 ATTACH PARTITION public.m21 FOR VALUES FROM (0) TO (10);
CREATE TABLE public.p (id int NOT NULL, k int DEFAULT 1);
CREATE TABLE public.c (id int NOT NULL, k int NOT NULL DEFAULT 2, x int);
