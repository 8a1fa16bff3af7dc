CREATE TABLE public.t (id serial, n int);
CREATE TABLE public.kept (id serial);
