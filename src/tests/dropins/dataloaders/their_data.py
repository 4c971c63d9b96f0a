import numpy as np
import torch

network='residual'

def get(seed=0,fixed_order=False,pc_valid=0):
    """ Three tasks of two classes each, as the original's dictionary """
    rs=np.random.RandomState(seed)
    data={}
    taskcla=[]
    size=[1,12,12]
    for t in range(3):
        data[t]={}
        data[t]['name']='their-{:d}'.format(t)
        data[t]['ncla']=2
        prototypes=rs.standard_normal((2,144))
        for s,n in [('train',120),('test',60)]:
            data[t][s]={'x': [],'y': []}
            for i in range(n):
                data[t][s]['x'].append(torch.FloatTensor(prototypes[i%2]+rs.standard_normal(144)))
                data[t][s]['y'].append(i%2)
            data[t][s]['x']=torch.stack(data[t][s]['x']).view(-1,size[0],size[1],size[2])
            data[t][s]['y']=torch.LongTensor(np.array(data[t][s]['y'],dtype=int)).view(-1)
    for t in range(3):
        data[t]['valid']={}
        data[t]['valid']['x']=data[t]['train']['x'].clone()
        data[t]['valid']['y']=data[t]['train']['y'].clone()
    n=0
    for t in range(3):
        taskcla.append((t,data[t]['ncla']))
        n+=data[t]['ncla']
    data['ncla']=n
    return data,taskcla,size
