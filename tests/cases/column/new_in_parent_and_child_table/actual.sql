CREATE TABLE public.a (id int);
CREATE TABLE public.b () INHERITS (public.a);
CREATE TABLE public.c () INHERITS (public.b);
