CREATE TABLE public.a (id int NOT NULL, n int);
CREATE TABLE public.b () INHERITS (public.a);
CREATE TABLE public.c (n int NOT NULL) INHERITS (public.a);
