CREATE TABLE public.box_part (id int NOT NULL);
CREATE TABLE public.box (part_id int NOT NULL);
CREATE TABLE public.renamed (a int NOT NULL, c int);
ALTER TABLE public.renamed RENAME a TO b;
CREATE TABLE public.crate (n int);
