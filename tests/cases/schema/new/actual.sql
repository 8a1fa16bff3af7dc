CREATE TABLE public.untouched (id int);
