CREATE TABLE public.t (id int, parent int);
