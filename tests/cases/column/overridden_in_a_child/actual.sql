CREATE TABLE public.p (a int DEFAULT 1, b text);
CREATE TABLE public.c (z int) INHERITS (public.p);
ALTER TABLE public.c ALTER a SET DEFAULT 5;
