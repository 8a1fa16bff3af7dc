CREATE TABLE public.m (id int NOT NULL, n int NOT NULL, t text, CONSTRAINT positive CHECK (n > 0), PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
CREATE INDEX ON public.m (t);
CREATE TABLE public.m1 (id int NOT NULL, n int NOT NULL, t text, CONSTRAINT positive CHECK (n > 0), PRIMARY KEY (id, n), CONSTRAINT own CHECK (id > 0));
CREATE INDEX ON public.m1 (t);
CREATE INDEX m1_other ON public.m1 (t, n);
CREATE TABLE public.p (k int, CONSTRAINT small CHECK (k < 9));
CREATE TABLE public.c (k int, CONSTRAINT small CHECK (k < 9));
